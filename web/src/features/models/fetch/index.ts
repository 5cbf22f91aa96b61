export { FetchButton } from "./fetch-button";
export { openFetch } from "./opened";
