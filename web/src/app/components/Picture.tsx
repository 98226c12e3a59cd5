// SPDX-License-Identifier: Apache-2.0
// A frame's picture with what lies on it. Everything is placed in percent of the picture, so that it
// stays in place at any size.
import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { isOnItsSide, turnOf, type FrameGeometry, type Rect } from "../../core/maps/geometry";
import type { Source } from "../../core/source/source";
import type { Frame } from "../../core/source/wire";
import { frameTitle } from "../../core/state/frame_name";
import { useViewer } from "../context";

const percent = (value: number) => `${(100 * value).toFixed(4)}%`;

// CSS of a rectangle given in fractions of what it lies in.
export function place(rect: Rect): JSX.CSSProperties {
  return {
    left: percent(rect.x),
    top: percent(rect.y),
    width: percent(rect.width),
    height: percent(rect.height),
  };
}

// A rectangle in fractions of the picture, seen from `outer` in the same fractions.
export function within(rect: Rect, outer: Rect): Rect {
  return {
    x: (rect.x - outer.x) / outer.width,
    y: (rect.y - outer.y) / outer.height,
    width: rect.width / outer.width,
    height: rect.height / outer.height,
  };
}

// Turns the stored pixels upright in a box of their upright shape.
function upright({ orientation, width, height }: FrameGeometry): JSX.CSSProperties {
  if (orientation === 1) return {};
  const aside = isOnItsSide(orientation);
  return {
    position: "absolute",
    left: "50%",
    top: "50%",
    width: percent(aside ? height / width : 1),
    height: percent(aside ? width / height : 1),
    transform: `translate(-50%, -50%) matrix(${turnOf(orientation).join()}, 0, 0)`,
  };
}

// What the <img> shows; undefined as long as it is on its way.
function useAddress(source: Source, frame: Frame | undefined, onMissing: () => void) {
  const found = frame && source.pictureAddress(frame);
  const arrived = useSignal<string | undefined>(undefined);
  useEffect(() => {
    if (!(found instanceof Promise)) return;
    let gone = false;
    arrived.value = undefined;
    found.then(
      (address) => gone || (arrived.value = address),
      () => gone || onMissing(),
    );
    return () => void (gone = true);
  }, [found]);
  return found instanceof Promise ? arrived.value : found;
}

export function Picture(props: { frame: number; hidden?: boolean; children?: ComponentChildren }) {
  const { state } = useViewer();
  const missing = useSignal(false);
  const frame = state.frames.value[props.frame];
  const geometry = state.geometries.value[props.frame];
  const address = useAddress(state.source, frame, () => (missing.value = true));
  if (!frame || !geometry) return null;
  const learnSize = (image: HTMLImageElement) => {
    if (frame.width !== null || state.naturalSizes.value.has(props.frame)) return;
    const size = { width: image.naturalWidth, height: image.naturalHeight };
    state.naturalSizes.value = new Map([...state.naturalSizes.value, [props.frame, size]]);
  };
  return (
    <div class="picture" style={{ aspectRatio: `${geometry.width} / ${geometry.height}` }}>
      {missing.value ? (
        <p class="missing">The picture {frame.name} cannot be read</p>
      ) : (
        <img
          src={address}
          alt={frameTitle(state.frames.value, props.frame)}
          style={upright(geometry)}
          draggable={false}
          class={props.hidden ? "hidden" : ""}
          onLoad={(event) => learnSize(event.currentTarget)}
          onError={() => (missing.value = true)}
        />
      )}
      {geometry.croppedFractions.map((rect) => (
        <div class="cropped" style={place(rect)} title="Cut off before the model saw the picture" />
      ))}
      {props.children}
    </div>
  );
}
