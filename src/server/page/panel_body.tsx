/** The inside of a panel below the prompt. */
import type { ComponentChildren } from "preact";

/** What a panel is for, and its content. */
export function PanelBody({ about, children }: {
  readonly about: string;
  readonly children: ComponentChildren;
}) {
  return (
    <div class="panel-body">
      <p class="hint">{about}</p>
      {children}
    </div>
  );
}
