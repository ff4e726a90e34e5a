// Printing, and copying a text: buttons that only a script can serve are shown by it.
(function () {
  "use strict";

  document.querySelectorAll("[data-print]").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      window.print();
    });
  });

  document.querySelectorAll("[data-copy]").forEach(function (button) {
    var text = document.getElementById(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", function () {
      function tell() {
        document.getElementById("announce").textContent = button.dataset.done;
        button.textContent = button.dataset.done;
      }
      text.focus();
      text.select();
      if (navigator.clipboard) {
        // Refused (no permission): it stays selected, and Ctrl+C works.
        navigator.clipboard.writeText(text.value).then(tell, function () {});
      } else if (document.execCommand("copy")) {
        tell();
      }
    });
  });
})();
