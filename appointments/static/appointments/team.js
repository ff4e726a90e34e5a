// Who looks at what: only while the person is really there. Without it cards work as before.
(function () {
  "use strict";

  var AWAY_AFTER = 60000; // milliseconds without a key or a pointer
  var form = document.getElementById("presence");
  if (!form) {
    return;
  }
  var looking = form.elements.namedItem("looking");
  var lastSign = 0;

  function cardOf(element) {
    var card = element && element.closest && element.closest(".card");
    return card && card.id.indexOf("mismatch-") === 0 ? card.id.slice(9) : "";
  }

  function look(event) {
    lastSign = Date.now();
    var id = cardOf(event.target);
    if (id && id !== looking.value) {
      looking.value = id;
      window.htmx.trigger(form, "looking");
    }
  }

  document.addEventListener("focusin", look);
  document.addEventListener("pointerdown", look);
  document.addEventListener("keydown", look);
  document.addEventListener("toggle", function (event) {
    // What was opened by a key: its first control is next.
    var opened = event.target.matches("details.drop[open]") && event.target;
    var first = opened && opened.querySelector(".dropped button, .dropped input[name=text], .dropped p[tabindex]");
    if (first && opened.contains(document.activeElement)) {
      (opened.querySelector(".dropped input[name=text]") || first).focus();
    }
  }, true);

  // These requests go by themselves: they say nothing when they fail, and hide no other message.
  ["htmx:sendError", "htmx:responseError", "htmx:timeout"].forEach(function (name) {
    form.addEventListener(name, function (event) {
      event.stopPropagation();
    });
  });
  form.addEventListener("htmx:beforeRequest", function (event) {
    event.stopPropagation();
    if (document.hidden) {
      event.preventDefault();
    }
  });
  form.addEventListener("htmx:configRequest", function (event) {
    if (Date.now() - lastSign > AWAY_AFTER) {
      looking.value = "";
      event.detail.parameters.set("looking", "");
    }
  });
})();
