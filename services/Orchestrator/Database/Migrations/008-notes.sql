-- What whoever uses a step's outputs must know, in sentences, as JSON.
alter table step add column notes text;
