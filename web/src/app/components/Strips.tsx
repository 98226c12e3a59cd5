// SPDX-License-Identifier: Apache-2.0
// The same query in every layer, and in every head, of one target frame.
import { useViewer } from "../context";
import { FeedFailure } from "./FailureBanner";
import { SmallMap } from "./SmallMap";

function LayerStrip() {
  const { state } = useViewer();
  return (
    <div class="strip" data-testid="layer-strip">
      <h3>Layers</h3>
      <div>
        {state.layers.value.map(({ number }) => (
          <SmallMap
            key={number}
            feed={state.feeds.layerStrip}
            layer={number}
            head={state.head.value}
            label={String(number)}
            title={`Layer ${number}, ${state.headName(state.head.value)}`}
            chosen={number === state.layer.value}
            onChoose={() => (state.layer.value = number)}
          />
        ))}
      </div>
      <FeedFailure feed={state.feeds.layerStrip} role="status" />
    </div>
  );
}

function HeadStrip() {
  const { state } = useViewer();
  return (
    <div class="strip" data-testid="head-strip">
      <h3>Heads</h3>
      <div>
        {state.headNumbers().map((head) => (
          <SmallMap
            key={head}
            feed={state.feeds.headStrip}
            layer={state.layer.value}
            head={head}
            label={String(head)}
            title={`Head ${head}, layer ${state.layer.value}`}
            chosen={head === state.head.value}
            onChoose={() => (state.head.value = head)}
          />
        ))}
      </div>
      <FeedFailure feed={state.feeds.headStrip} role="status" />
    </div>
  );
}

export function Strips() {
  const { state } = useViewer();
  return (
    <div class="strips">
      {state.layers.value.length > 1 && <LayerStrip />}
      {state.numHeads.value > 0 && <HeadStrip />}
    </div>
  );
}
