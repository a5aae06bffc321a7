-- The orders that are in the table now, with the columns of orders: removed and expired are false.
--
-- removed: false: the order is in the table
-- expired: false: the order is in the table
CREATE OR REPLACE VIEW current_orders AS
SELECT *
FROM orders
WHERE NOT removed
