import { versions } from "./agents-versions.js";

export default versions(2, import.meta.url);
