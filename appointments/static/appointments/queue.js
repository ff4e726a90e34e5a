// The queue: what was decided keeps its place, cards are selected to be decided together.
(function () {
  "use strict";

  var list = document.querySelector("[data-cards]");
  var form = document.getElementById("together");
  if (!list) { return; }

  // --- nothing moves under the pointer -----------------------------------------------------------

  // A decided card becomes one line. With the keyboard the next one moves up; with the pointer it must
  // not, or a second click would meet another visit's button.
  // The room is kept by an element of its own: htmx would copy a style of the card's onto the next
  // answer as an attribute, which our Content-Security-Policy forbids.
  var heights = {};
  document.addEventListener("htmx:beforeSwap", function (event) {
    var card = event.detail.target;
    if (!card.matches || !card.matches(".card")) { return; }
    var room = roomOf(card);
    delete heights[card.id];
    if (room) { heights[card.id] = Number(room.dataset.height); }
    else if (document.documentElement.dataset.hand === "pointer") { heights[card.id] = card.offsetHeight; }
  });
  function keep(event) {
    var card = document.getElementById(event.detail.target.id);
    if (!card || !card.matches(".card")) { return; }
    keepRoom(card, card.hasAttribute("data-thin") ? heights[card.id] : 0);
    tidy();
  }
  document.addEventListener("htmx:afterSwap", keep);
  document.addEventListener("htmx:afterSettle", keep); // it has its own classes, and height, only now
  function roomOf(card) {
    var next = card.nextElementSibling;
    return next && next.matches(".room") ? next : null;
  }
  function keepRoom(card, height) {
    var room = roomOf(card);
    var gap = parseFloat(getComputedStyle(card.parentElement).rowGap) || 0;
    var left = (height || 0) - card.offsetHeight - gap;
    if (left <= 0) {
      if (room) { room.remove(); }
      return;
    }
    if (!room) {
      room = document.createElement("div");
      room.className = "room";
      card.after(room);
    }
    room.dataset.height = String(height);
    room.style.height = left + "px";
  }

  function tidy() {
    var done = list.querySelector(".alldone");
    done.hidden = Boolean(list.querySelector("[data-open]")) || !list.querySelector("[data-thin]");
    count();
  }

  // --- deciding several together -----------------------------------------------------------------

  function boxes() { return Array.prototype.slice.call(list.querySelectorAll("input[name=row]")); }
  function count() {
    if (!form) { return; }
    var picked = boxes().filter(function (box) { return box.checked; }).length;
    var words = form.querySelector("[data-picked]");
    form.classList.toggle("some", picked > 0);
    form.querySelector(".pickers").hidden = false;
    form.querySelector("button[type=submit]").disabled = !picked;
    words.textContent = words.dataset.text + " " + picked;
  }
  function pick(wanted) {
    boxes().forEach(function (box) { box.checked = wanted(box); });
    count();
  }
  if (form) {
    form.classList.add("live");
    list.addEventListener("change", count);
    form.addEventListener("click", function (event) {
      var kind = event.target.closest("[data-pick-kind]");
      if (kind) { pick(function (box) { return box.checked || box.dataset.kind === kind.dataset.pickKind; }); }
      if (event.target.closest("[data-pick-none]")) { pick(function () { return false; }); }
    });
  }
  tidy();
  // Back from another page the browser ticks again what was ticked.
  window.addEventListener("pageshow", count);
})();
