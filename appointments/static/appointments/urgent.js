// Browser notices of what is urgent: numbers and times, never a name. Asked for by a button only.
(function () {
  "use strict";

  var ON = "syncportal.notices.on";
  var TOLD = "syncportal.notices.told";
  var MOST = 300;

  function kept(key) {
    try {
      return window.localStorage.getItem(key) || "";
    } catch (refused) {
      return "";
    }
  }

  function keep(key, value) {
    try {
      window.localStorage.setItem(key, value);
    } catch (refused) {
      // A browser that keeps nothing: the choice lasts as long as the page.
    }
  }

  function possible() {
    return "Notification" in window && window.isSecureContext;
  }

  function isOn() {
    return possible() && Notification.permission === "granted" && kept(ON) === "1";
  }

  // Each difference once in this browser, whichever tab hears of it first.
  function tell(bar) {
    var told = kept(TOLD).split(".").filter(Boolean);
    var fresh = bar.dataset.urgent.split(".").filter(function (id) {
      return told.indexOf(id) < 0;
    });
    if (!fresh.length || !isOn()) {
      return;
    }
    keep(TOLD, told.concat(fresh).slice(-MOST).join("."));
    var notice = new Notification(bar.dataset.title, { body: bar.dataset.body, tag: "syncportal-urgent" });
    notice.addEventListener("click", function () {
      window.focus();
      window.location.assign(bar.dataset.go);
      notice.close();
    });
  }

  function look() {
    var bar = document.querySelector("[data-urgent]");
    if (bar) {
      tell(bar);
    }
  }

  document.addEventListener("htmx:afterSettle", look);

  // For the page where it is chosen (notices.js).
  window.browserNotices = {
    possible: possible,
    isOn: isOn,
    turn: function (on) { keep(ON, on ? "1" : ""); },
    look: look
  };
})();
