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

  function tell() {
    trouble.textContent = trouble.dataset.text;
    trouble.hidden = false;
  }

  ["htmx:sendError", "htmx:responseError", "htmx:timeout"].forEach(function (name) {
    document.addEventListener(name, tell);
  });
  document.addEventListener("htmx:beforeRequest", function () {
    trouble.hidden = true;
  });

  // A button that was pressed is gone after the swap: keep the place for the keyboard, but not on a
  // button, so that pressing Enter twice does not press that one too.
  var pressed = null;
  document.addEventListener("htmx:beforeSwap", function (event) {
    var target = event.detail.target;
    pressed = target && target.contains(document.activeElement) ? target.id : null;
  });
  document.addEventListener("htmx:afterSettle", function () {
    var card = pressed && document.getElementById(pressed);
    if (card && !card.contains(document.activeElement)) {
      card.focus({ preventScroll: true });
    }
    pressed = null;
  });
})();
