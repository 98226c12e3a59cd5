// SPDX-License-Identifier: Apache-2.0
// What the components of one viewer share. They reach it through a Preact context, so that several viewers can be on
// one page.
import type { Signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Side, Sides } from "../core/state/compare_sides";
import type { State } from "../core/state/state";

export interface ReadoutText {
  x: number; // CSS pixels of the window
  y: number;
  title: string;
  detail: string;
  more?: string; // in a line of its own
}

// The map of one frame, in the layer and head that are chosen, for one of the queries; or the query picture.
export type Enlarged = { slot: number; frame: number } | "query";

// What can be saved of the 3D view as it is seen.
export interface SceneFiles {
  png(): Promise<Blob>;
  glb(): Promise<Blob>;
}

export interface Viewer {
  state: State; // of the side whose maps are shown
  sides: Sides;
  side: Side;
  root: HTMLElement; // holds everything that the viewer shows
  ownsPage: boolean; // see ViewerOptions
  readout: Signal<ReadoutText | null>; // the value under the pointer
  helpOpen: Signal<boolean>;
  controlsOpen: Signal<boolean>; // where they are hidden until asked for, because there is little room
  sceneFiles: Signal<SceneFiles | null>; // null while there is no 3D view
  enlarged: Signal<Enlarged | null>; // the picture that has the panel to itself
}

const Context = createContext<Viewer | null>(null);

export const ViewerProvider = Context.Provider;

export function useViewer(): Viewer {
  const viewer = useContext(Context);
  if (!viewer) throw new Error("This component stands outside of a viewer.");
  return viewer;
}
