// The chip map.

export function showChip() {}
