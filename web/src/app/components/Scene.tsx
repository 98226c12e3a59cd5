// SPDX-License-Identifier: Apache-2.0
// The scene in 3D: all points in the colours of the pictures, with the attention of the query over them.
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { counted, formatValue } from "../../core/maps/number";
import { cellName, frameOf, inFrame, spotName, type Spot } from "../../core/source/spot";
import type { GeometryInfo } from "../../core/source/wire_geometry";
import { kMostLeftOut, kPointSizes } from "../../core/state/choices";
import { colourScale } from "../../core/state/colour_scale";
import { numberRanges } from "../../core/state/compare";
import { paintMap, valueIn } from "../../core/state/display";
import { headOn, layerOn, meetsOn, spotOn } from "../../core/state/on_screen";
import type { State } from "../../core/state/state";
import { useViewer, type Viewer } from "../context";
import type { Budget } from "../point_budget";
import type { MapColours, Pick, SceneView } from "../scene_view";
import { useVoice } from "../voice";
import { CompareSide } from "./CompareSide";
import { FailureText } from "./FailureBanner";
import { Check, Field } from "./Fields";
import { useRoom } from "./room";

// What attention is shown, and where it is from.
function onShow(state: State) {
  const feed = state.feeds.active();
  const block = feed?.block.value ?? null;
  const slot = state.activePin.value;
  const [layer, head] = [layerOn(state, block), headOn(state, block)];
  return { feed, block, slot, layer, head, spot: spotOn(state, block, slot) };
}

// The colours of every patch, exactly those of the maps: a cell's for each patch that it stands for.
function mapColours(state: State): MapColours {
  const { feed, block, slot, layer, head } = onShow(state);
  const grid = state.grid.value!;
  const { H_p, W_p, H_ds, W_ds, stride_h, stride_w } = grid;
  const patches = H_p * W_p;
  const frames = state.frames.value.length;
  const pixels = new Uint8Array(4 * patches * frames);
  const words = new Uint32Array(pixels.buffer);
  const cells = new Uint8ClampedArray(4 * H_ds * W_ds);
  const painted = new Uint32Array(cells.buffer);
  for (let frame = 0; frame < frames; frame++) {
    const map = block?.map(layer, head, frame);
    const range = colourScale(state, feed?.blocks() ?? [], layer, head, frame)?.range;
    if (!map || !range || !meetsOn(state, block, slot, frame)) continue;
    paintMap(state, map, cells, { range, alone: state.mapAlone.value });
    for (let row = 0; row < H_p; row++) {
      for (let col = 0; col < W_p; col++) {
        const cell =
          Math.min(H_ds - 1, Math.floor(row / stride_h)) * W_ds +
          Math.min(W_ds - 1, Math.floor(col / stride_w));
        words[frame * patches + row * W_p + col] = painted[cell]!;
      }
    }
  }
  return { pixels, patches };
}

function cellOf(state: State, patch: number) {
  const { W_p, H_ds, W_ds, stride_h, stride_w } = state.grid.value!;
  return {
    row: Math.min(H_ds - 1, Math.floor(Math.floor(patch / W_p) / stride_h)),
    col: Math.min(W_ds - 1, Math.floor((patch % W_p) / stride_w)),
  };
}

// What a click there asks for; null if the export's own maps do not have it.
function spotAt(state: State, { frame, patch }: Pick): Spot | null {
  if (!state.exact.value && frame > 0) return null;
  const active = state.activeSpot.value;
  const cell = patch === null ? active : cellOf(state, patch);
  return cell && inFrame({ row: cell.row, col: cell.col }, frame);
}

function told({ state }: Viewer, { frame, patch }: Pick) {
  if (patch === null) {
    return { title: `Camera of frame ${frame}`, detail: "a click asks this frame" };
  }
  const { block, layer, head } = onShow(state);
  const cell = cellOf(state, patch);
  const map = block?.map(layer, head, frame);
  const { W_ds } = state.grid.value!;
  const asks = state.exact.value || frame === 0 ? "" : " · stored maps are of frame 0 alone";
  return {
    title: map ? formatValue(valueIn(map, cell.row * W_ds + cell.col)) : "–",
    detail: `${cellName(cell, state.grid.value)} · frame ${frame}${asks}`,
  };
}

const kFly: Readonly<Record<string, readonly [right: number, up: number, forward: number]>> = {
  w: [0, 0, 1],
  s: [0, 0, -1],
  a: [-1, 0, 0],
  d: [1, 0, 0],
  q: [0, -1, 0],
  e: [0, 1, 0],
};
const kFlyStep = 0.04;
const kDragPixels = 4; // a click that goes further turns the scene

function Lacking() {
  return (
    <div class="scene-lacking" role="status" data-testid="scene-none">
      <p>
        With cameras and depth, this is the scene in 3D: every point in its picture’s colour with
        the attention of the query over it, the cameras, and rays to the best matches. On the
        frames, circles, epipolar lines and errors then say how far each match is off.
      </p>
      <p>
        Predicted by the model itself: <code>vggt-attn export --geometry</code>. From cameras that
        you have: <code>--geometry_from FILE</code>, or for an export that exists{" "}
        <code>vggt-attn geometry EXPORT --from FILE</code>.
      </p>
    </div>
  );
}

function Sliders(props: { trusted: boolean }) {
  const { state } = useViewer();
  const { pointSize, leastConfidence } = state;
  return (
    <div class="group">
      <Field label="Points">
        <input
          type="range"
          data-testid="point-size"
          title="How large points are"
          min={Math.log2(kPointSizes.least)}
          max={Math.log2(kPointSizes.most)}
          step={0.25}
          value={Math.log2(pointSize.value)}
          onInput={(event) => (pointSize.value = 2 ** event.currentTarget.valueAsNumber)}
        />
      </Field>
      {props.trusted && (
        <Field label="Leave out">
          <input
            type="range"
            data-testid="confidence"
            title="So much of the points is left out, those of which the model is least sure"
            min={0}
            max={kMostLeftOut}
            step={0.05}
            value={leastConfidence.value}
            onInput={(event) => (leastConfidence.value = event.currentTarget.valueAsNumber)}
          />
          <output>{Math.round(100 * leastConfidence.value)} %</output>
        </Field>
      )}
    </div>
  );
}

// What the layer lens shows, where the heads' predictions are known after layers.
function Lens() {
  const { state } = useViewer();
  const { lens, playing, scene } = state;
  const layers = scene.lensLayers.value;
  const lacks = layers.length === 0;
  if (lacks && !scene.whole.value?.predicted) return null;
  const hint = lacks
    ? "This export has none: export with --geometry --layers_lens 4,11,17,24 for the scene after each of these layers"
    : `Cameras and points as the prediction heads see them after the chosen layer, as if the model ended there (G). Known after ${counted(layers.length, "layer")}: ${numberRanges(layers)}`;
  return (
    <div class="group">
      <Check
        label="Layer lens"
        testId="lens"
        title={hint}
        disabled={lacks}
        checked={lens.value && !lacks}
        onChange={scene.toggleLens}
      />
      {layers.length > 1 && (
        <button
          data-testid="play"
          title="Through the layers, again and again (K)"
          aria-pressed={playing.value}
          onClick={scene.togglePlaying}
        >
          {playing.value ? "Stop" : "Play"}
        </button>
      )}
    </div>
  );
}

function Canvas() {
  const viewer = useViewer();
  const { state, root } = viewer;
  const { scene } = state;
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useSignal<SceneView | null>(null);
  const problem = useSignal("");
  const { element, measured } = useRoom({ width: 600, height: 400 });
  const voice = useVoice();
  const pressed = useRef<{ x: number; y: number } | null>(null);
  const looked = useRef(0);
  const lookedAt = useRef<GeometryInfo | null>(null);

  useEffect(() => {
    let gone = false;
    let made: SceneView | null = null;
    const onDrawn = ({ drawn, all, milliseconds }: Budget) => {
      const { dataset } = canvas.current ?? {};
      if (!dataset) return;
      dataset["drawn"] = String(drawn);
      dataset["points"] = String(all);
      dataset["ms"] = milliseconds.toFixed(1);
    };
    import("../scene_view").then(
      (module) => {
        if (gone || !canvas.current) return;
        try {
          made = new module.SceneView(canvas.current, onDrawn);
        } catch (error) {
          if (!(error instanceof module.NoWebGL)) throw error;
          problem.value =
            "This browser has no WebGL 2, which the 3D view is drawn with: switch hardware acceleration on, or use another browser.";
          return;
        }
        view.value = made;
        const files = made;
        if (viewer.side !== "a") return;
        viewer.sceneFiles.value = { png: () => files.png(), glb: () => files.glb() };
      },
      () => (problem.value = "The 3D view could not be loaded: reload the page."),
    );
    return () => {
      gone = true;
      if (viewer.side === "a") viewer.sceneFiles.value = null;
      state.hover.value = null;
      made?.dispose();
    };
  }, []);

  useSignalEffect(() => {
    const { room } = measured.value;
    view.value?.resize(room.width, room.height);
  });
  useSignalEffect(() => {
    const [cameras, points, grid] = [scene.info.value, scene.points.value, state.grid.value];
    if (!view.value || !cameras || !points || !grid) return;
    // Layers of the lens are in one world: one looks at them from the same place.
    const whole = scene.whole.value;
    view.value.setPoints(cameras, points, grid.H_p * grid.W_p, whole === lookedAt.current);
    lookedAt.current = whole;
  });
  useSignalEffect(() => {
    if (view.value && state.grid.value) view.value.setMaps(mapColours(state));
  });
  useSignalEffect(() => {
    scene.points.value; // of which a share is left out
    state.theme.value;
    const style = getComputedStyle(root);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    view.value?.setLook({
      pointSize: state.pointSize.value,
      leastConfidence: state.leastConfidence.value,
      queryFrame: frameOf(onShow(state).spot),
      colours: {
        query: colour("--query"),
        line: colour("--accent"),
        quiet: colour("--quiet"),
        background: colour("--panel"),
      },
    });
  });
  useSignalEffect(() => {
    const { block, layer, head, spot, slot } = onShow(state);
    const at = spot && !spot.token ? scene.worldOf(frameOf(spot), spot) : null;
    const matches = state.frames.value.flatMap((_, frame) => {
      if (frame === frameOf(spot) || !meetsOn(state, block, slot, frame)) return [];
      const best = scene.bestIn(block, layer, head, frame);
      const found = best && scene.worldOf(frame, best);
      return found ? [found] : [];
    });
    view.value?.setQuery(at, state.showMatches.value ? matches : []);
  });

  const found = (event: PointerEvent | MouseEvent): Pick | null => {
    const box = canvas.current!.getBoundingClientRect();
    return view.value?.pick(event.clientX - box.left, event.clientY - box.top) ?? null;
  };
  const onMove = (event: PointerEvent) => {
    if (event.buttons !== 0) return voice.say(null);
    cancelAnimationFrame(looked.current);
    looked.current = requestAnimationFrame(() => {
      const at = found(event);
      voice.say(at && { x: event.clientX, y: event.clientY, ...told(viewer, at) });
      if (!state.liveHover.value) return;
      const spot = at && at.patch !== null ? spotAt(state, at) : null;
      if (spot || state.hover.peek()) state.hover.value = spot;
    });
  };
  const onLeave = () => {
    cancelAnimationFrame(looked.current);
    voice.say(null);
    state.hover.value = null;
  };
  const onClick = (event: MouseEvent) => {
    const from = pressed.current;
    if (!from || Math.hypot(event.clientX - from.x, event.clientY - from.y) > kDragPixels) return;
    const at = found(event);
    const spot = at && spotAt(state, at);
    if (spot) state.pin(spot);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = kFly[event.key.toLowerCase()];
    if (step) {
      const far = kFlyStep * (event.shiftKey ? 5 : 1);
      view.value?.fly(step[0] * far, step[1] * far, step[2] * far);
    } else if (event.key === "Home") view.value?.goHome();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const query = useComputed(() => {
    const { spot } = onShow(state);
    return spot ? spotName(spot, state.grid.value) : "";
  });
  if (problem.value) {
    return (
      <p class="broken" role="alert" data-testid="scene-problem">
        {problem.value}
      </p>
    );
  }
  return (
    <div class="scene-room" ref={element}>
      <canvas
        ref={canvas}
        data-testid="scene-canvas"
        tabIndex={0}
        role="application"
        aria-label={`The scene in 3D, with the attention of ${query.value}. W, A, S, D, Q and E fly, Home goes back; arrow keys outside of it move the query.`}
        onPointerDown={(event) => (pressed.current = { x: event.clientX, y: event.clientY })}
        onPointerMove={onMove}
        onPointerLeave={onLeave}
        onClick={onClick}
        onDblClick={(event) => {
          const at = found(event);
          if (at?.patch === null) view.value?.lookThrough(at.frame);
        }}
        onKeyDown={onKey}
      />
    </div>
  );
}

// What one export's points are, in words.
function sourceText({ scene }: State): string {
  const [info, points] = [scene.info.value, scene.points.value];
  if (!info || !points) return "Reading cameras and points…";
  const from = `${info.predicted ? "predicted by" : "from"} ${info.source}`;
  const layer = info.layer === null ? "" : `, after layer ${info.layer}`;
  return `${info.points.toLocaleString("en")} points, ${from}${layer}`;
}

function SceneOfSide() {
  const { state } = useViewer();
  const { scene } = state;
  if (!scene.known.value) return <Lacking />;
  const error = scene.failure.value;
  if (error) {
    return (
      <p class="broken" role="alert" data-testid="scene-failed">
        <FailureText error={error} /> <button onClick={scene.again}>Try again</button>
      </p>
    );
  }
  return (
    <>
      <p class="quiet small" data-testid="scene-source">
        {sourceText(state)}
      </p>
      <Canvas />
    </>
  );
}

export function Scene() {
  const { state, sides } = useViewer();
  const { scene } = state;
  const trusted = useComputed(() => {
    const confidence = scene.points.value?.confidence;
    return confidence !== undefined && confidence.some((each) => each !== confidence[0]);
  });
  // In 3D nothing can be subtracted.
  const shown = useComputed(() => sides.shown.value.filter((side) => side !== "difference"));
  return (
    <div class="scene" data-testid="scene">
      {scene.known.value && (
        <div class="exact scene-choices">
          <Sliders trusted={trusted.value} />
          <Lens />
          <p class="quiet small scene-help">
            drag turns · wheel goes nearer · right drag shifts · W A S D Q E fly · a click asks
          </p>
        </div>
      )}
      <div class="scene-sides">
        {shown.value.map((side) => (
          <CompareSide key={side} side={side} slot={state.activePin.value}>
            <SceneOfSide />
          </CompareSide>
        ))}
      </div>
    </div>
  );
}
