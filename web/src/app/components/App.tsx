// SPDX-License-Identifier: Apache-2.0
import { useViewer } from "../context";
import { Announcer } from "./Announcer";
import { Controls } from "./Controls";
import { ExportList } from "./ExportList";
import { FailureBanner } from "./FailureBanner";
import { HelpDialog } from "./HelpDialog";
import { MainView } from "./MainView";
import { MatchLines } from "./MatchLines";
import { QueryPanel } from "./QueryPanel";
import { Readout } from "./Readout";
import { TopBar } from "./TopBar";

export function App() {
  const { state, enlarged } = useViewer();
  const { exportInfo, loading, source } = state;
  const open = exportInfo.value !== null;
  const small = state.view.value === "atlas" || state.view.value === "scene";
  const large = enlarged.value === "query"; // the query picture has all the room
  return (
    <>
      <TopBar />
      {open && <Controls />}
      <FailureBanner />
      {open ? (
        <main class={large ? "stage query-large" : small ? "stage beside-atlas" : "stage"}>
          <QueryPanel />
          {!large && <MainView />}
          <MatchLines />
        </main>
      ) : (
        <main class="welcome">
          {loading.value === "loading" ? (
            <>
              <p class="quiet">Opening the export…</p>
              {source.lateHint && <p class="quiet late">{source.lateHint}</p>}
            </>
          ) : (
            <ExportList />
          )}
        </main>
      )}
      <Readout />
      <HelpDialog />
      <Announcer />
    </>
  );
}
