/** A number with a slider beside it. */
export function RangeField(
  { id, label, about, value, usual, least, most, step, onChange }: {
    readonly id: string;
    readonly label: string;
    readonly about?: string;
    /** Absent for what counts by default. */
    readonly value: number | undefined;
    readonly usual: number;
    readonly least: number;
    readonly most: number;
    readonly step: number;
    readonly onChange: (value: number | undefined) => void;
  },
) {
  return (
    <div class="range-field" title={about}>
      <label for={id}>{label}</label>
      <input
        type="range"
        aria-label={label}
        min={least}
        max={most}
        step={step}
        value={value ?? usual}
        onInput={(event) => onChange(Number(event.currentTarget.value))}
      />
      <input
        id={id}
        type="number"
        min={least}
        max={most}
        step={step}
        placeholder={String(usual)}
        value={value ?? ""}
        onChange={(event) => {
          const text = event.currentTarget.value;
          const number = Math.min(most, Math.max(least, Number(text)));
          onChange(text === "" || !Number.isFinite(number) ? undefined : number);
        }}
      />
    </div>
  );
}
