// SPDX-License-Identifier: Apache-2.0
// What can be taken away. A file holds the choices as they stood at the click, however long it takes.
import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { kFigureKinds } from "../../core/source/source";
import { toWireError, type WireError } from "../../core/source/wire";
import { kFigureWidths } from "../../core/state/choices";
import { savedText } from "../../core/state/wording";
import { useViewer } from "../context";
import { save, type SaveKind } from "../save";
import { FailureText } from "./FailureBanner";
import { Check, Choice } from "./Fields";
import { tellTop } from "./room";

const kSaidMs = 1500;

const kItems: readonly { kind: SaveKind; name: string; about: string }[] = [
  { kind: "npy", name: "Numbers as .npy", about: "float32 [layers, heads, frames, rows, columns]" },
  { kind: "csv", name: "Numbers as CSV", about: "a line for each patch" },
  { kind: "recipe", name: "Recipe (JSON)", about: "vggt-attn figure draws it again" },
  { kind: "link", name: "Copy link", about: "restores exactly this view" },
];

// Of the atlas, which is no figure of a recipe.
const kAtlasItems: typeof kItems = [
  { kind: "heads", name: "Numbers of all heads as CSV", about: "a line for each layer and head" },
  ...kItems.filter(({ kind }) => kind === "link"),
];

// Of the 3D view.
const kSceneItems: typeof kItems = [
  { kind: "view", name: "Picture as PNG", about: "as it is seen now" },
  { kind: "glb", name: "Scene as GLB", about: "points in the colours shown, and cameras" },
  ...kItems.filter(({ kind }) => kind === "link"),
];

// How figures look on the page of a paper.
function FigureOptions(props: { act: (kind: SaveKind) => void; leave: () => void }) {
  const { state } = useViewer();
  const { figureWidth, figureFrames, figureTitle, figureFooter } = state;
  const { first, rest } = state.framesOnShow.value;
  const few = state.view.value === "frames" && rest.length > 0;
  return (
    <fieldset>
      <div class="row">
        <span>Figure as</span>
        {kFigureKinds.map((kind) => (
          <button key={kind} data-testid={`save-${kind}`} onClick={() => props.act(kind)}>
            {kind.toUpperCase()}
          </button>
        ))}
      </div>
      <div class="row">
        <Choice
          label="Width"
          testId="figure-width"
          title="The width of one or two columns of a journal"
          value={String(figureWidth.value)}
          options={kFigureWidths.map((width) => [String(width), `${width} mm`])}
          onChange={(text) => {
            figureWidth.value = kFigureWidths.find((each) => String(each) === text) ?? 170;
          }}
        />
        {state.view.value !== "matrix" && state.frames.value.length > 1 && (
          <Choice
            label="Pictures"
            testId="figure-frames"
            value={figureFrames.value === "shown" && !few ? "all" : figureFrames.value}
            options={[
              ["all", "all"],
              ...(few ? [["shown", `the ${first.length} large`] as const] : []),
              ["target", `frame ${state.target.value}`],
            ]}
            onChange={(text) => {
              figureFrames.value = text === "target" || text === "shown" ? text : "all";
            }}
          />
        )}
        <Check
          label="Title"
          testId="figure-title"
          checked={figureTitle.value}
          onChange={(checked) => (figureTitle.value = checked)}
        />
        <Check
          label="Footer"
          testId="figure-footer"
          title="What the maps are, in words"
          checked={figureFooter.value}
          onChange={(checked) => (figureFooter.value = checked)}
        />
      </div>
      {state.colormap.value === "jet" && (
        <p class="hint" data-testid="jet-hint">
          jet misleads in print and for colour-blind readers:{" "}
          <button
            onClick={() => {
              state.colormap.value = "viridis";
              props.leave(); // this hint goes
            }}
          >
            try viridis
          </button>
        </p>
      )}
    </fieldset>
  );
}

export function SaveMenu() {
  const { state, ownsPage, sceneFiles } = useViewer();
  const atlas = state.view.value === "atlas";
  const scene = state.view.value === "scene";
  const ofScene = sceneFiles.value ? kSceneItems : kSceneItems.slice(2);
  const all = atlas ? kAtlasItems : scene ? ofScene : kItems;
  // A link restores the view only where the address bar is the viewer's.
  const items = ownsPage ? all : all.filter(({ kind }) => kind !== "link");
  const open = useSignal(false);
  const said = useSignal("Save");
  const failure = useSignal<WireError | null>(null);
  const working = useRef(0);
  const element = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const menuId = useId();
  // What is about to go gives the focus back to the menu's button.
  const leave = () => button.current?.focus();
  useEffect(() => {
    const close = (event: Event) => {
      if (!open.value) return;
      const escape = event instanceof KeyboardEvent && event.key === "Escape";
      const outside = event.target instanceof Node && !element.current?.contains(event.target);
      if (escape) leave();
      if (escape || outside) open.value = false;
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, []);
  const act = async (kind: SaveKind) => {
    leave();
    open.value = false;
    failure.value = null;
    working.current++;
    said.value = "Saving…";
    let done = "Not saved";
    try {
      const leftOut = await save(state, kind, sceneFiles.value);
      done = kind === "link" ? "Copied" : savedText(leftOut);
    } catch (error) {
      failure.value = toWireError(error);
      open.value = true;
    }
    working.current--;
    if (working.current > 0) return; // the word stays until the last file is there
    said.value = done;
    // What is not as it was wanted stays until the menu is used again.
    if (done !== "Saved" && done !== "Copied") return;
    window.setTimeout(() => {
      if (said.value === done) said.value = "Save";
    }, kSaidMs);
  };
  return (
    <div class="menu" ref={element}>
      <button
        ref={button}
        data-testid="save"
        aria-expanded={open.value}
        aria-controls={menuId}
        onClick={() => {
          open.value = !open.value;
          if (working.current === 0) said.value = "Save";
        }}
      >
        {said.value} <span aria-hidden="true">▾</span>
      </button>
      <span class="visually-hidden" role="status">
        {said.value === "Save" ? "" : said.value}
      </span>
      {open.value && (
        <div id={menuId} ref={tellTop} class="save-menu" role="group" aria-label="Save">
          {failure.value && (
            <p class="not-saved" role="alert" data-testid="not-saved">
              Not saved: <FailureText error={failure.value} />
            </p>
          )}
          {atlas ? (
            <p class="hint atlas-hint">
              Figures of all heads, as PNG, SVG and PDF, are drawn by <code>vggt-attn report</code>.
            </p>
          ) : scene ? null : (
            <FigureOptions act={(kind) => void act(kind)} leave={leave} />
          )}
          {items.map(({ kind, name, about }) => (
            <button key={kind} data-testid={`save-${kind}`} onClick={() => void act(kind)}>
              {name}
              <span>{about}</span>
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
