/** The head of a column; where the server can order by it, a click does, and another turns the order round. */
export function OrderedColumn({ field, name, className, order, onOrder }: { field: string; name: string; className?: string; order?: string; onOrder?: (order: string) => void }) {
  if (!onOrder) return <th className={className}>{name}</th>;
  const [by, direction] = (order ?? 'created desc').split(/\s+/);
  const isBy = by === field;
  const isDescending = isBy && direction?.toLowerCase() === 'desc';
  return (
    <th className={className} aria-sort={isBy ? (isDescending ? 'descending' : 'ascending') : undefined}>
      <button className="column" onClick={() => onOrder(isBy && !isDescending ? `${field} desc` : isBy ? field : field === 'created' ? 'created desc' : field)}>
        {name}
      </button>
    </th>
  );
}
