/**
 * The filling of a value, which name and number decide: mostly small, sometimes over several pages,
 * seldom over many. A value that is not whole has another one.
 */
export function bodyOf(name: string, n: number): string {
  const text = `${name}:${n};`;
  const bytes = bytesOf(mixed(name, n));
  return text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes);
}

function bytesOf(mix: number): number {
  if (mix % 128 === 0) return 60_000 + (mix % 40_000);
  if (mix % 16 === 1) return 6_000 + (mix % 6_000);
  return 20 + (mix % 700);
}

function mixed(name: string, n: number): number {
  let mix = n >>> 0;
  for (let at = 0; at < name.length; at += 1)
    mix = Math.imul(mix ^ name.charCodeAt(at), 0x01000193);
  mix = Math.imul(mix ^ (mix >>> 15), 0x2c1b3c6d);
  return (mix ^ (mix >>> 13)) >>> 0;
}
