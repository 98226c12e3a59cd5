// SPDX-License-Identifier: Apache-2.0
// The row of choices under the top bar, by the names that the Python toolkit gave them.
import { kAverage, kColormaps, kFixedScale, kScales, type View } from "../../core/state/choices";
import { scaleChoices } from "../../core/state/colour_scale";
import { useViewer } from "../context";
import { CompareMode, CompareScale } from "./CompareControls";
import { Check, Field } from "./Fields";

function Slider(props: {
  label: string;
  testId?: string;
  signal: { value: number };
  min: number;
  max: number;
  step: number;
  text: string;
}) {
  return (
    <Field label={`${props.label} ${props.text}`}>
      <input
        type="range"
        data-testid={props.testId}
        min={props.min}
        max={props.max}
        step={props.step}
        value={props.signal.value}
        onInput={(event) => (props.signal.value = event.currentTarget.valueAsNumber)}
      />
    </Field>
  );
}

function Steps(props: { what: string; keys: string; step: (by: number) => void }) {
  const [back, on] = props.keys.split(" ");
  return (
    <span class="steps">
      <button
        class="icon"
        title={`Previous ${props.what} (${back})`}
        aria-label={`Previous ${props.what}`}
        onClick={() => props.step(-1)}
      >
        ‹
      </button>
      <button
        class="icon"
        title={`Next ${props.what} (${on})`}
        aria-label={`Next ${props.what}`}
        onClick={() => props.step(1)}
      >
        ›
      </button>
    </span>
  );
}

function LayerAndHead() {
  const { state } = useViewer();
  return (
    <div class="group">
      <Field label="Layer">
        <select
          data-testid="layer"
          value={String(state.layer.value)}
          onChange={(event) => (state.layer.value = Number(event.currentTarget.value))}
        >
          {state.layers.value.map((layer) => (
            <option key={layer.number} value={String(layer.number)}>
              Layer {layer.number}
              {layer.error !== null && " (unreadable)"}
            </option>
          ))}
        </select>
      </Field>
      <Steps what="layer" keys="[ ]" step={state.stepLayer} />
      <Field label="Head">
        <select
          data-testid="head"
          value={state.head.value === kAverage ? "mean" : String(state.head.value)}
          title={
            state.numHeads.value === 0 ? "This export holds the mean of the heads only" : undefined
          }
          onChange={(event) => {
            const { value } = event.currentTarget;
            state.head.value = value === "mean" ? kAverage : Number(value);
          }}
        >
          <option value="mean">{state.headName(kAverage)}</option>
          {state.headNumbers().map((head) => (
            <option key={head} value={String(head)}>
              Head {head}
            </option>
          ))}
        </select>
      </Field>
      <Steps what="head" keys=", ." step={state.stepHead} />
    </div>
  );
}

function Views() {
  const { state } = useViewer();
  const averaged = state.numHeads.value === 0;
  const hint = averaged ? "This export holds the mean of the heads only" : undefined;
  const check = (view: View, testId: string, label: string, disabled = false) => (
    <Check
      label={label}
      testId={testId}
      disabled={disabled}
      {...(disabled && hint ? { title: hint } : {})}
      checked={state.view.value === view}
      onChange={(checked) => (state.view.value = checked ? view : "frames")}
    />
  );
  return (
    <div class="group">
      {check("layers", "all-layers", "Show all layers at once")}
      {check("heads", "all-heads", "Show all heads at once", averaged)}
      {check("matrix", "matrix", "Matrix")}
      {check("atlas", "atlas-view", "Atlas")}
      {check("scene", "scene-view", "3D")}
    </div>
  );
}

// Bright where values are low and dark where they are high, and red beside green.
const kJetHint = "jet misleads in print and for colour-blind readers: try viridis";

function Colormap(props: { label: string }) {
  const { state } = useViewer();
  return (
    <Field label={props.label}>
      <select
        data-testid="colormap"
        title={state.colormap.value === "jet" ? kJetHint : undefined}
        value={state.colormap.value}
        onChange={(event) => {
          const name = kColormaps.find((each) => each === event.currentTarget.value);
          if (name) state.colormap.value = name;
        }}
      >
        {kColormaps.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </Field>
  );
}

// The tiles of the atlas have colours of their own.
function AtlasColours() {
  const { state } = useViewer();
  return (
    <div class="group">
      {state.atlasThumbnails.value !== "off" && <Colormap label="Colours of small maps" />}
      <CompareScale />
    </div>
  );
}

function Colours() {
  const { state } = useViewer();
  const { modes, now } = scaleChoices(state);
  return (
    <div class="group">
      <Colormap label="Colours" />
      <Field label="Scale">
        <select
          data-testid="scale"
          title="What the last colour is taken from"
          value={now}
          onChange={(event) => {
            const mode = kScales.find((each) => each === event.currentTarget.value);
            if (mode) state.scaleMode.value = mode;
          }}
        >
          {modes.map(([mode, name]) => (
            <option key={mode} value={mode}>
              {name}
            </option>
          ))}
        </select>
      </Field>
      <CompareScale />
      <Check
        label="Log"
        testId="log-scale"
        title="Logarithmic: four decades up to the last colour"
        disabled={state.signed.value}
        checked={state.logScale.value && !state.signed.value}
        onChange={(checked) => (state.logScale.value = checked)}
      />
      {now === "fixed" && (
        <Field label="Value">
          <input
            class="number"
            data-testid="fixed-scale"
            type="number"
            min={kFixedScale.least}
            max={kFixedScale.most}
            step="any"
            value={state.fixedScale.value}
            onInput={(event) => {
              const value = event.currentTarget.valueAsNumber;
              if (value >= kFixedScale.least && value <= kFixedScale.most) {
                state.fixedScale.value = value;
              }
            }}
          />
        </Field>
      )}
      <Slider
        label="Opacity"
        testId="opacity"
        signal={state.opacity}
        min={0}
        max={1}
        step={0.05}
        text={state.opacity.value.toFixed(2)}
      />
      <Slider
        label="Gamma"
        testId="gamma"
        signal={state.gamma}
        min={0.2}
        max={3}
        step={0.05}
        text={state.gamma.value.toFixed(2)}
      />
    </div>
  );
}

function Marks() {
  const { state } = useViewer();
  const toggle = (signal: { value: boolean }) => (checked: boolean) => (signal.value = checked);
  return (
    <div class="group">
      <Check
        label="Map alone"
        testId="map-alone"
        checked={state.mapAlone.value}
        onChange={toggle(state.mapAlone)}
      />
      <Check
        label="Smooth"
        testId="smooth"
        checked={state.smooth.value}
        onChange={toggle(state.smooth)}
      />
      <Check
        label="Best match"
        testId="matches"
        title="Mark the cell of the largest value in each frame"
        checked={state.showMatches.value}
        onChange={toggle(state.showMatches)}
      />
      {state.view.value === "frames" && (
        <Check
          label="Lines"
          testId="lines"
          title="A line from the query to the best match in each frame"
          checked={state.showLines.value}
          onChange={toggle(state.showLines)}
        />
      )}
      {state.view.value === "frames" && state.scene.known.value && (
        <Check
          label="Geometry"
          testId="truth"
          title="What cameras and depth say: the query’s point (circle), its epipolar line, and how far the best match is off, in patches"
          checked={state.showTruth.value}
          onChange={toggle(state.showTruth)}
        />
      )}
    </div>
  );
}

export function Controls() {
  const { state } = useViewer();
  const atlas = state.view.value === "atlas";
  return (
    <section class="controls" aria-label="What is shown">
      <LayerAndHead />
      <Views />
      <CompareMode />
      {atlas ? <AtlasColours /> : <Colours />}
      {!atlas && <Marks />}
    </section>
  );
}
