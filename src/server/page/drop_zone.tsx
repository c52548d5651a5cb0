/** A picture may be dropped or pasted anywhere: to draw from it, or to see its recipe. */
import { useEffect, useState } from "preact/hooks";
import { Icon } from "./icons.tsx";
import { pictureTextsOf } from "./picture_texts.ts";
import { isPicture, startFromFile } from "./starting.ts";
import { getState, useStore } from "./store.ts";
import { openFile } from "./viewer.tsx";

export function DropZone() {
  const texts = pictureTextsOf(useStore().language);
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const hasFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent) => {
      if (!hasFile(event)) return;
      depth++;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      depth = event.relatedTarget === null ? 0 : Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    const over = (event: DragEvent) => hasFile(event) && event.preventDefault();
    const drop = (event: DragEvent) => {
      depth = 0;
      setOver(false);
      const files = [...event.dataTransfer?.files ?? []];
      const file = files.find(isPicture) ?? files[0];
      if (file === undefined) return;
      event.preventDefault();
      const place = (event.target as Element).closest?.("[data-drop]");
      if (place?.getAttribute("data-drop") === "source") void startFromFile(file);
      else openFile(file);
    };
    // Where one draws, a picture is pasted to draw from it.
    const paste = (event: ClipboardEvent) => {
      const file = [...event.clipboardData?.files ?? []].find(isPicture);
      if (file === undefined || document.querySelector("dialog[open]") !== null) return;
      event.preventDefault();
      if (getState().view === "draw") void startFromFile(file);
      else openFile(file);
    };
    const listeners: readonly (readonly [string, (event: never) => void])[] = [
      ["dragenter", enter],
      ["dragleave", leave],
      ["dragover", over],
      ["drop", drop],
      ["paste", paste],
    ];
    for (const [name, listener] of listeners) addEventListener(name, listener as EventListener);
    return () => {
      for (const [name, listener] of listeners) {
        removeEventListener(name, listener as EventListener);
      }
    };
  }, []);
  if (!isOver) return null;
  return (
    <div class="drop-zone" aria-hidden="true">
      <p data-drop="source">
        <Icon name="image" />
        {texts.dropHere}
      </p>
      <p data-drop="recipe">
        <Icon name="file" />
        {texts.dropRecipe}
      </p>
    </div>
  );
}
