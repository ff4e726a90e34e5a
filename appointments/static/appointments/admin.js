// Fields of a table in Django's administration are named by their column's head only: a screen reader needs it too.
(function () {
  "use strict";

  document.querySelectorAll(".tabular").forEach(function (group) {
    var heads = group.querySelectorAll("thead th");
    var what = group.querySelector("h2");
    heads.forEach(function (head) {
      if (head.textContent.trim() || !what) { return; }
      var words = head.appendChild(document.createElement("span"));
      words.className = "unseen";
      words.textContent = what.textContent.trim();
    });
    group.querySelectorAll("td").forEach(function (cell) {
      var name = Array.prototype.find.call(heads, function (head) {
        return cell.classList.contains("delete") ? head === heads[heads.length - 1] :
          Array.prototype.some.call(cell.classList, function (one) {
            return one.indexOf("field-") === 0 && head.classList.contains("column-" + one.slice(6));
          });
      });
      cell.querySelectorAll("input:not([type=hidden]), select, textarea").forEach(function (field) {
        if (name && !field.labels.length) { field.setAttribute("aria-label", name.textContent.trim()); }
      });
    });
  });
})();
