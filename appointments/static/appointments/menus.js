// Menus open and close by themselves (<details>); this only closes them in good time.
(function () {
  "use strict";

  // A menu closes when somebody goes on elsewhere, and with Escape, which goes back to its name.
  function closeMenus(but) {
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      if (!but || !menu.contains(but)) { menu.open = false; }
    });
  }
  ["pointerdown", "focusin"].forEach(function (name) {
    document.addEventListener(name, function (event) { closeMenus(event.target); });
  });
  document.addEventListener("keydown", function (event) {
    var menu = event.key === "Escape" && document.querySelector("details.menu[open]");
    if (menu) {
      menu.querySelector("summary").focus();
      closeMenus();
    }
  });
})();
