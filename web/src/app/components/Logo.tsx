// SPDX-License-Identifier: Apache-2.0
// The sign of the program, as in favicon.svg. It is drawn here because a viewer may be on a page that does not serve
// that file.

const kGrey = ["5 5", "13 5", "5 13", "5 21", "13 21"];
const kColoured = ["#1f7ae0", "#f5b331", "#e5484d"];

export function Logo() {
  return (
    <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#16181d" />
      {kGrey.map((place) => {
        const [x, y] = place.split(" ");
        return <rect key={place} x={x} y={y} width="6" height="6" rx="1" fill="#30343d" />;
      })}
      {kColoured.map((fill, i) => (
        <rect key={fill} x="21" y={5 + 8 * i} width="6" height="6" rx="1" fill={fill} />
      ))}
      <rect
        x="12.6"
        y="12.6"
        width="6.8"
        height="6.8"
        rx="1"
        fill="none"
        stroke="#37d67a"
        stroke-width="1.6"
      />
    </svg>
  );
}
