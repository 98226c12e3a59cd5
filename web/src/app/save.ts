// SPDX-License-Identifier: Apache-2.0
// What can be taken away: the view as a figure, the numbers in it, the link to it.
import { mapsCsv, mapsNpy } from "../core/figure/csv";
import type { Figure } from "../core/figure/figure";
import { currentFigure, fileStem, shownMaps } from "../core/figure/saved";
import { linkText } from "../core/state/link";
import type { State } from "../core/state/state";
import { figurePng, figureSvg } from "./figure_png";
import { decodePicture, type DecodedPicture } from "./picture";

function decodePictures(state: State, figure: Figure): Promise<DecodedPicture[]> {
  const { source, frames, geometries } = state;
  return Promise.all(
    figure.pictures.map((i) =>
      decodePicture(source, frames.value[i]!, geometries.value[i]!.orientation),
    ),
  );
}

function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export async function savePng(state: State): Promise<void> {
  const [figure, stem] = [currentFigure(state), fileStem(state)];
  download(await figurePng(figure, await decodePictures(state, figure)), `${stem}.png`);
}

export async function saveSvg(state: State): Promise<void> {
  const [figure, stem] = [currentFigure(state), fileStem(state)];
  const text = await figureSvg(figure, await decodePictures(state, figure));
  download(new Blob([text], { type: "image/svg+xml" }), `${stem}.svg`);
}

export function saveNpy(state: State): void {
  const blob = new Blob([mapsNpy(shownMaps(state))], { type: "application/octet-stream" });
  download(blob, `${fileStem(state)}.npy`);
}

export function saveCsv(state: State): void {
  download(new Blob([mapsCsv(shownMaps(state))], { type: "text/csv" }), `${fileStem(state)}.csv`);
}

export async function copyLink(state: State): Promise<void> {
  const link = `${window.location.origin}${window.location.pathname}?${linkText(state)}`;
  await navigator.clipboard.writeText(link);
}
