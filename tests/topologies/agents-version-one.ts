import { versions } from "./agents-versions.js";

export default versions(1, import.meta.url);
