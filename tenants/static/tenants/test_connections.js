// Say at once that the test runs: it takes up to a minute.
document.getElementById("run-checks").addEventListener("submit", (event) => {
  document.getElementById("run-checks-note").textContent = "Testing… this takes up to a minute.";
  event.target.querySelector("button").disabled = true;
});
