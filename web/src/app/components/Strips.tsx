// SPDX-License-Identifier: Apache-2.0
// The same query in every layer, and in every head, of one target frame.
import { headStripFeed, layerStripFeed } from "../../core/state/feeds";
import * as store from "../../core/state/store";
import { FeedFailure } from "./FailureBanner";
import { SmallMap } from "./SmallMap";

function LayerStrip() {
  return (
    <div class="strip" data-testid="layer-strip">
      <h3>Layers</h3>
      <div>
        {store.layers.value.map(({ number }) => (
          <SmallMap
            key={number}
            feed={layerStripFeed}
            layer={number}
            head={store.head.value}
            label={String(number)}
            title={`Layer ${number}, ${store.headName(store.head.value)}`}
            chosen={number === store.layer.value}
            onChoose={() => (store.layer.value = number)}
          />
        ))}
      </div>
      <FeedFailure feed={layerStripFeed} role="status" />
    </div>
  );
}

function HeadStrip() {
  return (
    <div class="strip" data-testid="head-strip">
      <h3>Heads</h3>
      <div>
        {store.headNumbers().map((head) => (
          <SmallMap
            key={head}
            feed={headStripFeed}
            layer={store.layer.value}
            head={head}
            label={String(head)}
            title={`Head ${head}, layer ${store.layer.value}`}
            chosen={head === store.head.value}
            onChoose={() => (store.head.value = head)}
          />
        ))}
      </div>
      <FeedFailure feed={headStripFeed} role="status" />
    </div>
  );
}

export function Strips() {
  return (
    <div class="strips">
      {store.layers.value.length > 1 && <LayerStrip />}
      {store.numHeads.value > 0 && <HeadStrip />}
    </div>
  );
}
