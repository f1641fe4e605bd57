// Runs before anything is painted, so that a chosen theme does not flash.
try {
  const chosen = localStorage.getItem("vomeet.theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is switched off: the theme of the system holds.
}
