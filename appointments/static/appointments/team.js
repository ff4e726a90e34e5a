// Working together: who looks at what, and where the keyboard is. Without it cards work as before.
(function () {
  "use strict";

  var EVERY = 15000; // all in milliseconds
  var AFTER = 1000; // who only passes by does not look
  var AWAY_AFTER = 60000; // without a key or a pointer
  var form = document.getElementById("presence");
  var looking = "";
  var lastSign = 0;
  var soon = 0;

  function cardOf(element) {
    var card = element.closest && element.closest(".card");
    return card && card.id.indexOf("mismatch-") === 0 ? card.id.slice(9) : "";
  }

  function look(event) {
    var id = cardOf(event.target);
    lastSign = Date.now();
    if (id && id !== looking) {
      looking = id;
      clearTimeout(soon);
      soon = setTimeout(tell, AFTER);
    }
  }

  // Not by htmx, which notes each request that a change of page breaks off as an error.
  function tell() {
    if (document.hidden) {
      return;
    }
    if (Date.now() - lastSign > AWAY_AFTER) {
      looking = "";
    }
    var said = new FormData(form);
    said.set("looking", looking);
    fetch(form.action, { method: "POST", body: said, credentials: "same-origin" })
      .then(function (answer) { return answer.ok ? answer.text() : ""; })
      .then(show)
      .catch(function () { /* the next one tells */ });
  }

  function show(html) {
    var answer = new DOMParser().parseFromString(html, "text/html");
    answer.querySelectorAll(".present").forEach(function (fresh) {
      var old = document.getElementById(fresh.id);
      if (old && old.innerHTML !== fresh.innerHTML) {
        old.replaceChildren.apply(old, Array.from(fresh.childNodes));
      }
    });
  }

  if (form) {
    ["focusin", "pointerdown", "keydown"].forEach(function (name) {
      document.addEventListener(name, look);
    });
    form.addEventListener("looking", tell);
    setInterval(tell, EVERY);
  }

  // What was opened by a key: its first control is next.
  document.addEventListener("toggle", function (event) {
    var opened = event.target;
    if (opened.matches("details.drop[open]") && opened.contains(document.activeElement)) {
      var first = opened.querySelector(".dropped [name=text], .dropped button, .dropped [tabindex]");
      if (first) {
        first.focus();
      }
    }
  }, true);
})();
