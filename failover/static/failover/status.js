// Says so when the page of the regions could not be refreshed: old figures look like new ones.
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, () => {
    for (const note of document.querySelectorAll(".fo-stale")) note.hidden = false;
  });
}
