// The page where browser notices are chosen; what tells of them is urgent.js.
(function () {
  "use strict";

  var box = document.querySelector("[data-browser-notices]");
  var notices = window.browserNotices;
  var state = box.querySelector("[data-state]");
  var on = box.querySelector("[data-turn-on]");
  var off = box.querySelector("[data-turn-off]");

  function show() {
    var refused = notices.possible() && Notification.permission === "denied";
    state.textContent = !notices.possible() ? box.dataset.cannot : refused ? box.dataset.refused : notices.isOn() ? box.dataset.on : box.dataset.off;
    on.hidden = !notices.possible() || refused || notices.isOn();
    off.hidden = !notices.isOn();
  }

  on.addEventListener("click", function () {
    Notification.requestPermission().then(function (answer) {
      notices.turn(answer === "granted");
      show();
      (off.hidden ? state : off).focus();
      notices.look();
    });
  });
  off.addEventListener("click", function () {
    notices.turn(false);
    show();
    on.focus();
  });
  show();
})();
