// Single keys, declared where they act (docs/interface.md, "Keys"):
//   data-key="s"            this key presses the button or link, ticks the box, or goes to the field
//   data-key-label="…"      what the list of keys says about it
//   data-key-after="next"   where the focus goes when the card has answered: "next" open card, this
//                           "card", or what a selector finds
//   data-key-card           J and K go from one to the next; a key first means what is in the card
// They rest while somebody types, with Ctrl, Alt or Cmd, and for who has switched them off (WCAG 2.1.4).
(function () {
  "use strict";

  var KEPT = "syncportal.keys";
  var RESUME = "syncportal.resume";
  var root = document.documentElement;
  var dialog = document.getElementById("keys");
  var after = {}; // by the id of a card that has been sent: where the focus goes then
  var decided = []; // ids of cards, the last one decided at the end

  function areOn() {
    try { return localStorage.getItem(KEPT) !== "off"; } catch (error) { return true; }
  }
  function remember(on) {
    try { localStorage.setItem(KEPT, on ? "on" : "off"); } catch (error) { /* for this page only */ }
    root.classList.toggle("keys-on", on);
    announceKeys();
  }
  function all(selector, within) {
    return Array.prototype.slice.call((within || document).querySelectorAll(selector));
  }
  function isThere(element) {
    return !element.disabled && element.getClientRects().length > 0;
  }
  function isTyping(element) {
    return element.isContentEditable ||
      element.matches("textarea, select, input:not([type=checkbox]):not([type=radio]):not([type=submit])");
  }
  function cards() { return all("[data-key-card]").filter(isThere); }
  function current() { return document.activeElement && document.activeElement.closest("[data-key-card]"); }

  // Under a pointer nothing may move, so only the keyboard scrolls (queue.js asks for it, too).
  document.addEventListener("pointerdown", function () { root.dataset.hand = "pointer"; }, true);
  document.addEventListener("keydown", function () { delete root.dataset.hand; }, true);

  function goTo(element) {
    element.focus({ preventScroll: true });
    if (!root.dataset.hand) { element.scrollIntoView({ block: "nearest" }); }
  }
  function step(by) {
    var shown = cards();
    var at = shown.indexOf(current());
    var next = shown[at < 0 ? (by > 0 ? 0 : shown.length - 1) : at + by];
    if (next) { goTo(next); }
  }
  function withKey(key, within) {
    return all('[data-key="' + CSS.escape(key) + '"]', within).filter(isThere)[0];
  }
  function meant(key) {
    var card = current();
    var found = card && withKey(key, card);
    if (!found) {
      found = all('[data-key="' + CSS.escape(key) + '"]').filter(function (element) {
        return isThere(element) && !element.closest("[data-key-card]");
      })[0];
    }
    return found || (key === "u" ? lastUndo() : null);
  }
  function lastUndo() {
    while (decided.length) {
      var card = document.getElementById(decided.pop());
      var button = card && withKey("u", card);
      if (button) { return button; }
    }
    return null;
  }
  function press(element) {
    var control = element.tagName === "LABEL" ? element.control : element;
    if (!control) { return; }
    if (isTyping(control)) { control.focus(); } else { control.click(); }
  }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) { return; }
    if (!areOn() || event.key.length !== 1 || isTyping(event.target) || document.querySelector("dialog[open]")) { return; }
    var key = event.key.toLowerCase();
    if (key === "j" || key === "k") {
      step(key === "j" ? 1 : -1);
      event.preventDefault();
      return;
    }
    // Held down it would press again and again.
    var element = !event.repeat && key !== " " && meant(key);
    if (element) {
      event.preventDefault();
      press(element);
    }
  });

  // --- where the focus goes ----------------------------------------------------------------------

  document.addEventListener("htmx:configRequest", function (event) {
    var card = event.detail.elt.closest("[data-key-card]");
    var cause = event.detail.triggeringEvent;
    var button = cause && (cause.submitter || cause.target);
    var to = button && button.closest && button.closest("[data-key-after]");
    if (card && to) { after[card.id] = to.getAttribute("data-key-after"); }
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    var old = event.detail.target;
    var to = old && after[old.id];
    var card = to && document.getElementById(old.id);
    if (!card) { return; }
    delete after[card.id];
    if (to === "next") {
      if (card.hasAttribute("data-open")) { return; } // it was not taken, or asks once more
      decided.push(card.id);
      goTo(nextOpen(card));
    } else if (to === "card") {
      goTo(card);
    } else {
      var named = card.querySelector(to) || document.querySelector(to);
      if (named) { goTo(named); }
    }
  });
  function nextOpen(card) {
    var shown = cards();
    var later = shown.slice(shown.indexOf(card) + 1).concat(shown);
    var next = later.filter(function (other) { return other.hasAttribute("data-open"); })[0];
    var done = document.querySelector(".alldone a");
    if (next || !done) { return next || card; }
    done.closest(".alldone").hidden = false;
    return done;
  }
  document.addEventListener("click", function (event) {
    if (event.target.closest("[data-resume]")) {
      try { sessionStorage.setItem(RESUME, "1"); } catch (error) { /* then J begins */ }
    }
  });
  function resume() {
    var wanted = null;
    try { wanted = sessionStorage.getItem(RESUME); sessionStorage.removeItem(RESUME); } catch (error) { /* no */ }
    var first = wanted && document.querySelector("[data-key-card][data-open]");
    if (first) { goTo(first); }
  }

  // --- the list of keys --------------------------------------------------------------------------

  function announceKeys() {
    var on = areOn();
    all("[data-key]").forEach(function (element) {
      var control = element.tagName === "LABEL" ? element.control : element;
      if (!control) { return; }
      if (on) { control.setAttribute("aria-keyshortcuts", element.dataset.key.toUpperCase()); }
      else { control.removeAttribute("aria-keyshortcuts"); }
    });
  }
  function fill() {
    var list = dialog.querySelector(".keylist");
    all("div:not([data-fixed])", list).forEach(function (row) { row.remove(); });
    var known = {};
    all("[data-key-label]").forEach(function (element) {
      var name = element.dataset.key + element.dataset.keyLabel;
      if (known[name]) { return; }
      known[name] = true;
      var row = document.createElement("div");
      var key = row.appendChild(document.createElement("dt")).appendChild(document.createElement("kbd"));
      key.textContent = element.dataset.key.toUpperCase();
      row.appendChild(document.createElement("dd")).textContent = element.dataset.keyLabel;
      list.appendChild(row);
    });
  }
  all("[data-opens]").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      fill();
      dialog.showModal();
    });
  });
  var toggle = document.querySelector("[data-keys-switch]");
  if (toggle) {
    toggle.checked = areOn();
    toggle.addEventListener("change", function () { remember(toggle.checked); });
  }

  root.classList.toggle("keys-on", areOn());
  announceKeys();
  resume();
  document.addEventListener("htmx:afterSettle", announceKeys);
})();
