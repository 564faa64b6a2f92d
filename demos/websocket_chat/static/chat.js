// Shows what comes over the socket; sends what is typed; connects again when it is closed.
"use strict";

const form = document.getElementById("form");
const list = document.getElementById("messages");
let socket;
let pause = 500;

function show(message) {
  const item = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = message.name;
  item.append(name, ": ", message.text);
  list.append(item);
  item.scrollIntoView();
}

function connect() {
  socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/chat`);
  socket.addEventListener("open", () => {
    list.replaceChildren(); // the server tells what was said before
    pause = 500;
  });
  socket.addEventListener("message", (event) => {
    JSON.parse(event.data).messages.forEach(show);
  });
  socket.addEventListener("close", () => {
    setTimeout(connect, pause);
    pause = Math.min(pause * 2, 30000);
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) return;
  const { name, text } = form.elements;
  socket.send(JSON.stringify({ name: name.value, text: text.value }));
  text.value = "";
});

connect();
