// Puts what comes each second in the place of what is there; once the session is over, the page leads to the log-in.
const live = document.getElementById("live");
const scrolled = () => [...live.querySelectorAll(".wide")];
const events = new EventSource("/operations/events");
events.addEventListener("message", (event) => {
  const left = scrolled().map((each) => each.scrollLeft);
  const focused = scrolled().indexOf(document.activeElement);
  live.innerHTML = event.data;
  scrolled().forEach((each, number) => { each.scrollLeft = left[number] ?? 0; });
  scrolled()[focused]?.focus({ preventScroll: true });
});
events.addEventListener("error", () => {
  if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
});
