// SPDX-License-Identifier: Apache-2.0
// The row of choices under the top bar, by the names that the Python toolkit gave them.
import * as store from "../../core/state/store";
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
  return (
    <div class="group">
      <Field label="Layer">
        <select
          data-testid="layer"
          value={String(store.layer.value)}
          onChange={(event) => (store.layer.value = Number(event.currentTarget.value))}
        >
          {store.layers.value.map((layer) => (
            <option key={layer.number} value={String(layer.number)}>
              Layer {layer.number}
              {layer.error !== null && " (unreadable)"}
            </option>
          ))}
        </select>
      </Field>
      <Steps what="layer" keys="[ ]" step={store.stepLayer} />
      <Field label="Head">
        <select
          data-testid="head"
          value={store.head.value === store.kAverage ? "mean" : String(store.head.value)}
          title={
            store.numHeads.value === 0 ? "This export holds the mean of the heads only" : undefined
          }
          onChange={(event) => {
            const { value } = event.currentTarget;
            store.head.value = value === "mean" ? store.kAverage : Number(value);
          }}
        >
          <option value="mean">{store.headName(store.kAverage)}</option>
          {store.headNumbers().map((head) => (
            <option key={head} value={String(head)}>
              Head {head}
            </option>
          ))}
        </select>
      </Field>
      <Steps what="head" keys=", ." step={store.stepHead} />
    </div>
  );
}

function Views() {
  const averaged = store.numHeads.value === 0;
  const hint = averaged ? "This export holds the mean of the heads only" : undefined;
  const check = (view: store.View, testId: string, label: string, disabled = false) => (
    <Check
      label={label}
      testId={testId}
      disabled={disabled}
      {...(disabled && hint ? { title: hint } : {})}
      checked={store.view.value === view}
      onChange={(checked) => (store.view.value = checked ? view : "frames")}
    />
  );
  return (
    <div class="group">
      {check("layers", "all-layers", "Show all layers at once")}
      {check("heads", "all-heads", "Show all heads at once", averaged)}
      {check("matrix", "matrix", "Matrix")}
    </div>
  );
}

const kScaleNames: Record<store.ScaleMode, string> = {
  head: "99 % of the head",
  layer: "99 % of the layer",
  map: "maximum of this view",
  fixed: "fixed value",
};
// Of maps computed from the store, from this query alone.
const kExactNames: Record<store.ScaleMode, string> = {
  head: "99 % of this query",
  layer: "99 % of the layer’s heads",
  map: "maximum of this query",
  fixed: "fixed value",
};
const kSignedNames: Partial<Record<store.ScaleMode, string>> = {
  head: "least to largest",
  layer: "least to largest of the heads",
};

function scaleNames(): [store.ScaleMode, string][] {
  const names = store.signed.value ? kSignedNames : store.exact.value ? kExactNames : kScaleNames;
  return store.kScales.flatMap((mode) => (names[mode] ? [[mode, names[mode]]] : []));
}

function Colours() {
  return (
    <div class="group">
      <Field label="Colours">
        <select
          data-testid="colormap"
          value={store.colormap.value}
          onChange={(event) => {
            const name = store.kColormaps.find((each) => each === event.currentTarget.value);
            if (name) store.colormap.value = name;
          }}
        >
          {store.kColormaps.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </Field>
      <Field label="Scale">
        <select
          data-testid="scale"
          title="The value of the last colour"
          value={
            scaleNames().some(([mode]) => mode === store.scaleMode.value)
              ? store.scaleMode.value
              : "head"
          }
          onChange={(event) => {
            const mode = store.kScales.find((each) => each === event.currentTarget.value);
            if (mode) store.scaleMode.value = mode;
          }}
        >
          {scaleNames().map(([mode, name]) => (
            <option key={mode} value={mode}>
              {name}
            </option>
          ))}
        </select>
      </Field>
      <Check
        label="Log"
        testId="log-scale"
        title="Logarithmic: four decades up to the last colour"
        disabled={store.signed.value}
        checked={store.logScale.value && !store.signed.value}
        onChange={(checked) => (store.logScale.value = checked)}
      />
      {store.scaleMode.value === "fixed" && !store.signed.value && (
        <Field label="Value">
          <input
            class="number"
            data-testid="fixed-scale"
            type="number"
            min="0"
            max="1"
            step="any"
            value={store.fixedScale.value}
            onInput={(event) => {
              const value = event.currentTarget.valueAsNumber;
              if (value > 0 && value <= 1) store.fixedScale.value = value;
            }}
          />
        </Field>
      )}
      <Slider
        label="Opacity"
        testId="opacity"
        signal={store.opacity}
        min={0}
        max={1}
        step={0.05}
        text={store.opacity.value.toFixed(2)}
      />
      <Slider
        label="Gamma"
        testId="gamma"
        signal={store.gamma}
        min={0.2}
        max={3}
        step={0.05}
        text={store.gamma.value.toFixed(2)}
      />
    </div>
  );
}

export function Controls() {
  const toggle = (signal: { value: boolean }) => (checked: boolean) => (signal.value = checked);
  return (
    <section class="controls" aria-label="What is shown">
      <LayerAndHead />
      <Views />
      <Colours />
      <div class="group">
        <Check
          label="Map alone"
          testId="map-alone"
          checked={store.mapAlone.value}
          onChange={toggle(store.mapAlone)}
        />
        <Check
          label="Smooth"
          testId="smooth"
          checked={store.smooth.value}
          onChange={toggle(store.smooth)}
        />
        <Check
          label="Best match"
          testId="matches"
          title="Mark the cell of the largest value in each frame"
          checked={store.showMatches.value}
          onChange={toggle(store.showMatches)}
        />
        {store.view.value === "frames" && (
          <Check
            label="Lines"
            testId="lines"
            title="A line from the query to the best match in each frame"
            checked={store.showLines.value}
            onChange={toggle(store.showLines)}
          />
        )}
      </div>
    </section>
  );
}
