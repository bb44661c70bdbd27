// What the theme's pages expect of Alpine, and its build for a strict Content-Security-Policy does not do by itself:
// that build knows no globals, and takes one expression at a time instead of statements. Written for django-unfold 0.91.
document.addEventListener("alpine:init", () => {
  const storage = {
    getItem: (name) => window.localStorage.getItem(name),
    setItem: (name, value) => window.localStorage.setItem(name, value),
  };
  const address = {
    get pathname() { return window.location.pathname; },
    get search() { return window.location.search; },
    get hash() { return window.location.hash; },
    get href() { return window.location.href; },
    set href(to) { window.location.assign(to); },
  };

  // The outermost scope of every page: whatever an expression names that is not data of its own is found here.
  Alpine.data("theme", (name) => ({
    ...window.theme(name),
    localStorage: storage,
    window: { location: address },
    getCurrentTab: () => window.getCurrentTab(),
    keepSidebar: (open) => storage.setItem("sidebarDesktopOpen", open ? "1" : "0"),
    moveRecords: (event) => window.moveRecords(event),
    sortRecords: (event) => window.sortRecords(event),
  }));
  for (const name of ["searchForm", "searchDropdown", "searchCommand"]) {
    Alpine.data(name, window[name]);
  }

  const rewrite = (selector, attribute, spell) => {
    for (const element of document.querySelectorAll(selector)) {
      element.setAttribute(attribute, spell(element.getAttribute(attribute)));
    }
  };
  rewrite("body[x-init]", "x-init", (text) => `[${text.split(";")[0]}, $watch('sidebarDesktopOpen', keepSidebar)]`);
  rewrite('[x-on\\:click*="localStorage.setItem"]', "x-on:click", (text) => text.split(";")[0]);
  rewrite('[x-on\\:keydown\\.enter\\.prevent^="if ("]', "x-on:keydown.enter.prevent", (text) =>
    text.replace(/^if \((.*?)\) (\w+\(.*\))$/, "$1 && $2"));
});
