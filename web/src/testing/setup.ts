import { configure } from "@testing-library/react";

// What is waited for comes at once, except on a busy machine.
configure({ asyncUtilTimeout: 5000 });
