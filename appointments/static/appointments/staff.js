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
  // button, so that pressing Enter twice does not press that one too. The place is the card, whether all
  // of it or a block in it was swapped. Who has gone on to somewhere else meanwhile stays there.
  var held = null; // what is being swapped with the keyboard in it
  document.addEventListener("htmx:beforeSwap", function (event) {
    var old = event.detail.target;
    held = event.detail.shouldSwap && old && old.contains(document.activeElement) ? old : null;
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    if (!held || event.detail.target !== held) { return; }
    var fresh = document.getElementById(held.id);
    var card = fresh && fresh.closest(".card");
    held = null; // told once for each piece of an answer: focus once
    if (card && !card.contains(document.activeElement)) { card.focus({ preventScroll: true }); }
  });
})();
