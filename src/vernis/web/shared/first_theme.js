// Runs before the first paint, so that the chosen theme does not flash.
(function () {
  "use strict";
  var root = document.documentElement;
  var wanted = new URLSearchParams(location.search).get("theme");
  if (!wanted) {
    try { wanted = localStorage.getItem("vernis-theme"); } catch (refused) { wanted = null; }
  }
  if (wanted === "dark" || wanted === "light") root.dataset.theme = wanted;
  root.classList.add("js");
})();
