// Comfort on top of pages that work without it. No page needs this file.

// A click elsewhere, or Escape, closes an open popover and gives the focus back.
const openPopovers = () => document.querySelectorAll("details.popover[open]");

document.addEventListener("click", (event) => {
  for (const popover of openPopovers()) {
    if (!popover.contains(event.target)) popover.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const popover of openPopovers()) {
    popover.open = false;
    popover.querySelector("summary").focus();
  }
});

// htmx keeps the page as it was when a request fails: say so, where messages are read out.
const showProblem = () => {
  const template = document.getElementById("problem");
  document.getElementById("messages").replaceChildren(template.content.cloneNode(true));
};
document.addEventListener("htmx:sendError", showProblem);
document.addEventListener("htmx:timeout", showProblem);
document.addEventListener("htmx:responseError", showProblem);
// A refusal that comes as a fragment is meant to be shown; a whole error page is not.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { status } = detail.xhr;
  const isPage = /^\s*(<!doctype|$)/i.test(detail.serverResponse);
  if (status >= 400 && status < 500 && !isPage) {
    detail.shouldSwap = true;
    detail.isError = false;
  }
});
document.addEventListener("htmx:beforeRequest", () => {
  document.querySelector("#messages [data-problem]")?.remove();
});

// Addresses name only what was chosen: no "&min=&max=".
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.verb !== "get") return;
  for (const [name, value] of [...detail.formData]) {
    if (value === "") detail.formData.delete(name);
  }
});

// Whoever changes the currency stays at the variant or the filters they chose meanwhile.
document.addEventListener("htmx:pushedIntoHistory", ({ detail }) => {
  for (const input of document.querySelectorAll('input[name="next"]')) input.value = detail.path;
});
