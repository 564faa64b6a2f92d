// Shows the last line of an endless response; asks again when it ends after all.
async function run() {
  const clock = document.getElementById("clock");
  for (;;) {
    try {
      const response = await fetch("/clock/stream");
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const lines = value.trim().split("\n");
        clock.textContent = lines[lines.length - 1];
      }
    } catch (error) {
      clock.textContent = "…";
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
run();
