"use strict";
// Before the first paint: the theme that the reader chose the last time.
try {
  const chosen = localStorage.getItem("stagebox-docs-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is switched off: the system's theme it is.
}
