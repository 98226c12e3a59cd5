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
  const { exportInfo, loading } = useViewer().state;
  const open = exportInfo.value !== null;
  return (
    <>
      <TopBar />
      {open && <Controls />}
      <FailureBanner />
      {open ? (
        <main class="stage">
          <QueryPanel />
          <MainView />
          <MatchLines />
        </main>
      ) : (
        <main class="welcome">
          {loading.value === "loading" ? <p class="quiet">Opening the export…</p> : <ExportList />}
        </main>
      )}
      <Readout />
      <HelpDialog />
      <Announcer />
    </>
  );
}
