// A button that copies what a text field holds. Without a script the text is there to be selected.
(function () {
  "use strict";

  document.querySelectorAll("[data-copies]").forEach(function (button) {
    var field = document.getElementById(button.dataset.copies);
    var said = button.parentElement.querySelector("[data-copied]");
    button.hidden = false;

    function tell(text) {
      said.textContent = "";
      // A screen reader speaks the same words again only if they were gone.
      setTimeout(function () {
        said.textContent = text;
      }, 50);
    }

    function byHand() {
      field.focus();
      field.select();
      tell(button.dataset.failed);
    }

    button.addEventListener("click", function () {
      if (!navigator.clipboard) {
        byHand();
        return;
      }
      navigator.clipboard.writeText(field.value).then(function () {
        tell(button.dataset.done);
      }, byHand);
    });
  });
})();
