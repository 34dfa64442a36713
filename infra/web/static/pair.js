// Sends the code; with the right one the browser is remembered, and the pages open.
const said = document.getElementById("said");

document.getElementById("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const code = document.getElementById("code").value.trim();
  try {
    const answer = await fetch("/pair", { method: "POST", body: JSON.stringify({ code }) });
    if (answer.ok) {
      location.replace("/");
      return;
    }
    said.textContent = (await answer.json()).detail;
  } catch {
    said.textContent = "The store's computer does not answer; try again in a moment.";
  }
});
