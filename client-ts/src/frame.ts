/** A message of the protocol, as parsed from JSON. */
export interface Frame {
  type: string;
  [field: string]: any;
}
