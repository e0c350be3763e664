// @ts-check
// Name and password for a session; what was on its way to the server goes on after that.

const form = /** @type {HTMLFormElement} */ (document.querySelector("[data-login]"));
const trouble = /** @type {HTMLElement} */ (document.querySelector("[data-trouble]"));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = new FormData(form);
  trouble.textContent = "";
  try {
    const answer = await fetch("/api/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: given.get("name"), password: given.get("password") }),
    });
    if (answer.ok) location.replace("/" + location.hash);
    else trouble.textContent = answer.status === 401 ? "Name or password is wrong." : "The server refused (" + answer.status + ").";
  } catch (error) { trouble.textContent = "The server cannot be reached."; }
});
