// The queue: what was decided keeps its place, cards are selected to be decided together.
(function () {
  "use strict";

  var list = document.querySelector("[data-cards]");
  var form = document.getElementById("together");
  if (!list) { return; }

  // --- nothing moves under the pointer -----------------------------------------------------------

  // A decided card becomes one line. With the keyboard the next one moves up; with the pointer it must
  // not, or a second click would meet another visit's button.
  var byPointer = false;
  var heights = {};
  document.addEventListener("pointerdown", function () { byPointer = true; }, true);
  document.addEventListener("keydown", function () { byPointer = false; }, true);
  document.addEventListener("htmx:beforeSwap", function (event) {
    var card = event.detail.target;
    if (!card.matches || !card.matches(".card")) { return; }
    var kept = card.style.minHeight;
    if (kept || byPointer) { heights[card.id] = kept || card.offsetHeight + "px"; }
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    var card = document.getElementById(event.detail.target.id);
    if (!card || !card.matches(".card")) { return; }
    if (card.classList.contains("thin") && heights[card.id]) { card.style.minHeight = heights[card.id]; }
    delete heights[card.id];
    tidy();
  });

  function tidy() {
    var done = list.querySelector(".alldone");
    done.hidden = Boolean(list.querySelector("[data-open]")) || !list.querySelector(".thin");
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
