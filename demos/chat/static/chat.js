// Asks for news again and again; sends what is typed.
"use strict";

const form = document.getElementById("form");
const list = document.getElementById("messages");

function show(message) {
  const item = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = message.name;
  item.append(name, ": ", message.text);
  list.append(item);
  item.scrollIntoView();
}

async function listen() {
  let last = 0;
  let pause = 500;
  for (;;) {
    try {
      const response = await fetch(`/news?after=${last}`);
      if (!response.ok) throw new Error(response.statusText);
      for (const message of (await response.json()).messages) {
        show(message);
        last = message.number;
      }
      pause = 500;
    } catch (error) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, 30000);
    }
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  form.elements.text.value = "";
  await fetch("/say", { method: "POST", body });
});

listen();
