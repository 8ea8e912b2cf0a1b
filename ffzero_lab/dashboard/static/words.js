// Numbers, durations and states as a person reads them.

export const STATES = {
  running: ["running", "▶", "running"],
  paused: ["paused", "❚❚", "waiting"],
  stopped: ["stopped", "■", "waiting"],
  complete: ["complete", "✓", "well"],
  tripped: ["interlock tripped", "⚠", "fault"],
  failed: ["failed", "✕", "fault"],
  interrupted: ["interrupted: its process is gone", "✕", "fault"],
  incomplete: ["incomplete", "…", "waiting"],
  unreadable: ["unreadable", "✕", "fault"],
};

const grouped = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

export function count(value) {
  return value === null || value === undefined ? "–" : grouped.format(Math.round(value));
}

export function number(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2);
  return String(Number(value.toPrecision(digits)));
}

export function score(value, measure) {
  if (value === null || value === undefined) return "–";
  return measure === "r2" ? `R² ${value.toFixed(3)}` : `${(100 * value).toFixed(1)}%`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 1) return `${(1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${(hours / 24).toFixed(1)} days`;
}

export function shortCount(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return `${number(value / 1e9, 3)} G`;
  if (size >= 1e6) return `${number(value / 1e6, 3)} M`;
  if (size >= 1e4) return `${number(value / 1e3, 3)} k`;
  return String(value);
}

// Run folders begin with a time: 20260131-142500-name.
export function whenAndName(run) {
  const found = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-(.+)$/.exec(run);
  if (!found) return ["", run];
  const [, year, month, day, hour, minute, second, name] = found;
  return [`${year}-${month}-${day} ${hour}:${minute}:${second}`, name];
}
