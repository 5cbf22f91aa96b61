// Before the first paint, so that nothing flashes. `lib/theme.ts` keeps the choice.
const kept = localStorage.getItem("synapse-theme");
if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
