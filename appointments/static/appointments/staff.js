// Small conveniences; every page works without them.
(function () {
  "use strict";

  // "Sending in 8 s": counts down what the server said.
  setInterval(function () {
    document.querySelectorAll("[data-countdown]").forEach(function (element) {
      var left = Math.max(0, Number(element.textContent) - 1);
      element.textContent = String(left);
    });
  }, 1000);

  var trouble = document.getElementById("trouble");

  // What a page asks for by itself is no answer to a person: its failure says nothing about a click.
  function quiet(event) {
    var element = event.detail && event.detail.elt;
    return element && element.closest && element.closest("[data-quiet]");
  }

  // Numbers keep themselves up to date, but not in a tab that nobody sees.
  function pulse() {
    var numbers = document.getElementById("pulse") || document.getElementById("open-badge");
    if (numbers && window.htmx && !document.hidden) { window.htmx.trigger(numbers, "pulse"); }
  }
  setInterval(pulse, 20000);
  document.addEventListener("visibilitychange", pulse);

  function tell(event) {
    if (quiet(event)) { return; }
    trouble.textContent = trouble.dataset.text;
    trouble.hidden = false;
  }

  ["htmx:sendError", "htmx:responseError", "htmx:timeout"].forEach(function (name) {
    document.addEventListener(name, tell);
  });
  document.addEventListener("htmx:beforeRequest", function (event) {
    if (!quiet(event)) { trouble.hidden = true; }
  });

  // A button that was pressed is gone after the swap: keep the place for the keyboard, but not on a
  // button, so that pressing Enter twice does not press that one too.
  document.addEventListener("htmx:configRequest", function (event) {
    var card = event.detail.elt.closest(".card");
    if (card && event.detail.elt !== card && card.contains(document.activeElement)) {
      card.dataset.focused = "";
    }
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    var old = event.detail.target;
    var held = old && ("focused" in old.dataset || old.contains(document.activeElement));
    var card = held && document.getElementById(old.id);
    if (held) { delete old.dataset.focused; } // told once for each piece of an answer: focus once
    if (card && !card.contains(document.activeElement)) {
      card.focus({ preventScroll: true });
    }
  });
})();
