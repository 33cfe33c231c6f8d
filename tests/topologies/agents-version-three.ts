import { versions } from "./agents-versions.js";

export default versions(3, import.meta.url);
